/** The header section of a stored message, without reading the rest. */
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { ContentReference } from '../contract/message.ts'
import { headerSection } from '../mail/header-section.ts'

const longestHeaders = 65_536

/**
 * @returns the header section with CRLF line endings, cut at 64 KiB to whole lines
 */
export async function readHeaders(
  s3: Pick<S3Client, 'send'>,
  { bucket, key, offset, length }: ContentReference,
): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0)
  const last = offset + Math.min(length, longestHeaders) - 1
  const { Body } = await s3.send(
    new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=${offset}-${last}` }),
  )
  return headerSection(Buffer.from((await Body?.transformToByteArray()) ?? []))
}
