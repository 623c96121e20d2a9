/**
 * S3's GetObject and PutObject of whole objects, without the SDK's client, which would make the functions that need
 * nothing else of S3 a third larger.
 */
import { hash } from 'node:crypto'
import { type Credentials, Signer } from './signer.ts'

export interface ObjectStore {
  bucket: string
  region(): Promise<string>
  credentials(): Promise<Credentials>
  /** In place of the endpoint of S3. */
  endpoint?: string | undefined
}

const timeoutMs = 10_000

/**
 * @param key needs no percent-encoding
 * @returns null when there is no object
 * @throws Error with S3's answer, or that of fetch
 */
export async function getObject(store: ObjectStore, key: string): Promise<Uint8Array | null> {
  const response = await send(store, 'GET', key, Buffer.alloc(0))
  if (response.ok) return new Uint8Array(await response.arrayBuffer())
  const text = await response.text()
  if (response.status === 404 && text.includes('NoSuchKey')) return null
  throw failure('GetObject', response, text)
}

/** @throws as `getObject` */
export async function putObject(store: ObjectStore, key: string, octets: Buffer): Promise<void> {
  const response = await send(store, 'PUT', key, octets)
  const text = await response.text()
  if (!response.ok) throw failure('PutObject', response, text)
}

const failure = (operation: string, { status }: Response, text: string): Error =>
  new Error(`${operation}: ${status} ${text.slice(0, 300)}`)

async function send(store: ObjectStore, method: 'GET' | 'PUT', key: string, body: Buffer): Promise<Response> {
  const [region, credentials] = await Promise.all([store.region(), store.credentials()])
  const url = new URL(`/${store.bucket}/${key}`, store.endpoint ?? endpointIn(region))
  const payloadHash = hash('sha256', body)
  const headers = { host: url.host, 'x-amz-content-sha256': payloadHash }
  const signed = new Signer({ region, service: 's3' }).sign(
    { method, path: url.pathname, headers, payloadHash },
    credentials,
    new Date(),
  )
  const { host: _, ...sent } = signed
  return fetch(url, {
    method,
    headers: sent,
    ...(method === 'PUT' && { body: new Uint8Array(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
}

/** https://docs.aws.amazon.com/general/latest/gr/s3.html */
const endpointIn = (region: string): string =>
  `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
