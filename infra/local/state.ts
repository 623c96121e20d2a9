/**
 * Implements `--state DIR`. Tables are always on disk. Queues and content are in the emulators' memory: a clean stop
 * saves them in a snapshot, and the next start restores them. A message that was in flight becomes visible again at the
 * end of its visibility timeout.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { Emulators } from './aws/emulators.ts'
import { isAlive } from './is-alive.ts'
import { StartError } from './start-error.ts'

type QueueStore = Emulators['queues']
type StoredMessage = Parameters<NonNullable<ReturnType<QueueStore['getQueueByName']>>['enqueue']>[0]

/**
 * Locks the directory against a second runner.
 * @returns a function that unlocks the directory
 * @throws StartError when a running process has the lock
 */
export function lockState(directory: string): () => void {
  const file = join(directory, 'runner.pid')
  const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  if (owner > 0 && owner !== process.pid && isAlive(owner))
    throw new StartError(`--state ${directory}: already in use by the runner with pid ${owner}`)
  writeFileSync(file, String(process.pid))
  return () => rmSync(file, { force: true })
}

/** Replaces the last snapshot, after the new one is written completely. */
export async function saveSnapshot(
  directory: string,
  queues: QueueStore,
  s3: S3Client,
  buckets: readonly string[],
) {
  const next = join(directory, 'snapshot.new')
  rmSync(next, { recursive: true, force: true })
  mkdirSync(next, { recursive: true })
  const messages = queues.listQueues().map((queue) => [queue.name, messagesOf(queue)])
  writeFileSync(join(next, 'queues.json'), JSON.stringify(Object.fromEntries(messages)))
  for (const bucket of buckets) await saveObjects(join(next, 'content', bucket), s3, bucket)
  rmSync(join(directory, 'snapshot'), { recursive: true, force: true })
  renameSync(next, join(directory, 'snapshot'))
}

/** Restores the snapshot of the last clean stop, if there is one. */
export async function restoreSnapshot(directory: string, queues: QueueStore, s3: S3Client): Promise<void> {
  const snapshot = join(directory, 'snapshot')
  if (!existsSync(join(snapshot, 'queues.json'))) return
  const saved: Record<string, StoredMessage[]> = JSON.parse(
    readFileSync(join(snapshot, 'queues.json'), 'utf8'),
  )
  for (const [name, messages] of Object.entries(saved))
    for (const message of messages) queues.getQueueByName(name)?.enqueue(message)
  for (const bucket of listIfExists(join(snapshot, 'content')))
    for (const file of listIfExists(join(snapshot, 'content', bucket))) {
      const body = readFileSync(join(snapshot, 'content', bucket, file))
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: decodeURIComponent(file), Body: body }))
    }
}

function messagesOf(queue: ReturnType<QueueStore['listQueues']>[number]): StoredMessage[] {
  const { ready, delayed, inflight } = queue.inspectMessages()
  const inFlight = inflight.map(({ message, visibilityDeadline }) => ({
    ...message,
    delayUntil: visibilityDeadline,
  }))
  return [...ready, ...delayed, ...inFlight]
}

async function saveObjects(folder: string, s3: S3Client, bucket: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  let token: string | undefined
  do {
    const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token }))
    for (const { Key = '' } of page.Contents ?? []) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
      if (Body !== undefined)
        writeFileSync(join(folder, encodeURIComponent(Key)), await Body.transformToByteArray())
    }
    token = page.NextContinuationToken
  } while (token !== undefined)
}

function listIfExists(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}
