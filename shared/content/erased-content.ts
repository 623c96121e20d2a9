/**
 * The content of a message that was erased from an object with other messages: spaces, so that the others keep their
 * places. Pure.
 */
const space = 0x20

/** Overwrites octets. */
export const eraseContent = (octets: Buffer): Buffer => octets.fill(space)

/** No received message consists of spaces: its first field is the Received field of this gateway. */
export const isErasedContent = (octets: Uint8Array): boolean => octets.every((octet) => octet === space)
