import { hash } from 'node:crypto'
import type { ContentReference } from '../contract/message.ts'

/** Describes an object that holds one message. */
export const contentReference = (bucket: string, key: string, octets: Buffer): ContentReference => ({
  bucket,
  key,
  offset: 0,
  length: octets.length,
  sha256: hash('sha256', octets),
})
