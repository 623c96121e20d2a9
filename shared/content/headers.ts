/** The header section of a stored message, without reading the rest. */
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { ContentReference } from '../contract/message.ts'

const longestHeaders = 65_536

/**
 * @returns the header section with CRLF line endings, cut at 64 KiB to whole lines; octets outside UTF-8 become U+FFFD
 */
export async function readHeaders(
  s3: Pick<S3Client, 'send'>,
  { bucket, key, offset, length }: ContentReference,
): Promise<string> {
  if (length === 0) return ''
  const last = offset + Math.min(length, longestHeaders) - 1
  const { Body } = await s3.send(
    new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=${offset}-${last}` }),
  )
  return headerSection(Buffer.from((await Body?.transformToByteArray()) ?? []).toString('utf8'))
}

/** What stands before the first empty line (RFC 5322 §2.1); a message may have no body at all. */
export function headerSection(text: string): string {
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n')
  return end < 0 ? text.slice(0, text.lastIndexOf('\r\n') + 2) : text.slice(0, end === 0 ? 0 : end + 2)
}
