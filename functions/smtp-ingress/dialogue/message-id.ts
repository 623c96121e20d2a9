import { newUlid } from '../../../shared/content/ulid.ts'

/** A ULID. */
export const newMessageId = (): string => newUlid()
