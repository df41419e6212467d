#!/usr/bin/env bash
# Makes the certificates of test/fixtures/tls anew: an authority, a server for localhost and a client. For tests only,
# valid for a hundred years so that no test fails one morning. Needs openssl.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p test/fixtures/tls
cd test/fixtures/tls

days=36500
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days "$days" -subj '/CN=Keyward test authority' \
  -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'

sign() { # name, subject, extensions
  openssl req "${key[@]}" -keyout "$1.key" -out "$1.csr" -subj "$2"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" -days "$days" \
    -extfile <(printf '%s\n' "$3")
  rm "$1.csr"
}
sign server '/CN=localhost' 'subjectAltName=DNS:localhost,DNS:redis.internal,IP:127.0.0.1,IP:::1'
sign client '/CN=Keyward test client' 'extendedKeyUsage=clientAuth'

# Nobody signs with it again: a new run makes a new authority.
rm -f ca.key ca.srl
