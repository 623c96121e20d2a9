import { newUlid } from '../../../shared/content/ulid.ts'

export const newMessageId = (): string => newUlid()
