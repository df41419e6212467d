/** Loaded into a Keyward whose memory is measured: SIGUSR2 makes it collect its garbage. Needs --expose-gc. */
process.on('SIGUSR2', () => global.gc())
