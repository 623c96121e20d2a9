/** The field Message-ID (RFC 5322 §3.6.4) as messages are searched by it. Pure. */

/** A recipient's item has this much of it, so that the item stays small. */
const maxLength = 64

/** Removes the angle brackets and the white space around them, which the field has and a search may omit. */
export const bareMessageId = (field: string): string => field.trim().replace(/^<(.*)>$/s, '$1')

/** The part of a Message-ID that the index has. */
export const searchedMessageId = (field: string): string => bareMessageId(field).slice(0, maxLength)
