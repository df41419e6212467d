const LEAST = -(2n ** 63n)
const MOST = 2n ** 63n - 1n

/**
 * A 64-bit integer as Redis reads one from an argument (no blanks, plus sign, leading zeros or "-0"), or undefined.
 * For error texts that tell "not a number" from "out of range"; ArgView.integer is enough elsewhere.
 */
export function parseInt64(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined
  const value = BigInt(text)
  return value < LEAST || value > MOST ? undefined : value
}
