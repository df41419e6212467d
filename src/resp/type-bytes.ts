/** The first byte of each RESP element. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export const ARRAY = 0x2a // *
export const ATTRIBUTE = 0x7c // |
export const BIG_NUMBER = 0x28 // (
export const BLOB_ERROR = 0x21 // !
export const BOOLEAN = 0x23 // #
export const BULK = 0x24 // $
export const DOUBLE = 0x2c // ,
export const ERROR = 0x2d // -
export const INTEGER = 0x3a // :
export const MAP = 0x25 // %
export const NULL = 0x5f // _
export const PUSH = 0x3e // >
export const SET = 0x7e // ~
export const STRING = 0x2b // +
export const VERBATIM = 0x3d // =
