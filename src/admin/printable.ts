/**
 * JSON that may go to a terminal. JSON itself escapes controls below 0x20 only: not those above 0x7e, of which some begin
 * terminal commands, too, nor what turns the direction of writing.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{C}\u2028\u2029]/gu, (one) => one.split('').map(escape).join(''))
}

/** Of one UTF-16 unit: JSON has no other escapes. */
function escape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
