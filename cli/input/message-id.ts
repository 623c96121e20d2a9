/** Returns a message id as the gateway writes it: a ULID in upper case. Other texts stay as they are. */
export const messageId = (text: string): string => (/^[0-9a-z]{26}$/i.test(text) ? text.toUpperCase() : text)
