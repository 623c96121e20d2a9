/**
 * Emulates Secrets Manager. Read-only secrets are files, read at each request: `X.json` for the secret
 * `mailflow/client-certificates/X`, and `FULL/NAME.json` for a secret with any other name. Secrets that the runner
 * creates can be written. Each keeps every version, and staging labels name the current and the previous version.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import * as z from 'zod'
import { clientCertificateSecret } from '../../../shared/contract/secrets.ts'
import { accountId, region } from '../template.ts'

const secretNamePattern = /^[\w+=.@-]+(\/[\w+=.@-]+)*$/
const current = 'AWSCURRENT'
const previous = 'AWSPREVIOUS'

const Versions = z.object({
  texts: z.record(z.string(), z.string()),
  /** Version by staging label. */
  stages: z.record(z.string(), z.string()),
})
type Versions = z.output<typeof Versions>

/** An error with Secrets Manager's name and message. */
class SecretsError extends Error {
  override readonly name: string

  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

/** Secrets that the runner creates, with versions and staging labels. */
export class CreatedSecrets {
  readonly #secrets = new Map<string, Versions>()
  readonly #directory: string | null

  /** @param directory stores the secrets; null keeps them in memory */
  constructor(directory: string | null) {
    this.#directory = directory
  }

  /** Creates a secret unless the name exists. @param text null creates a secret without a value */
  create(id: string, text: string | null): void {
    const name = nameOf(id)
    if (this.has(name)) return
    this.#write(name, { texts: {}, stages: {} })
    if (text !== null) this.put(name, text, 'first', undefined)
  }

  has(name: string): boolean {
    return this.#read(name) !== null
  }

  /** @returns null when there is no secret of this name, or no version at `stage` */
  get(name: string, stage = current): { text: string; version: string; stages: string[] } | null {
    const versions = this.#read(name)
    const version = versions?.stages[stage]
    const text = versions?.texts[version ?? '']
    if (!versions || version === undefined || text === undefined) return null
    return { text, version, stages: labelsOf(versions, version) }
  }

  /** @returns the version's staging labels */
  put(name: string, text: string, version: string, stages: readonly string[] | undefined): string[] {
    const versions = this.#read(name) ?? { texts: {}, stages: {} }
    const existingText = versions.texts[version]
    if (existingText !== undefined && existingText !== text)
      throw new SecretsError('ResourceExistsException', `A version ${version} exists, with another value.`)
    if (existingText !== undefined) return labelsOf(versions, version)
    versions.texts[version] = text
    // The first version always becomes the current version.
    const labels = [...(stages ?? [current]), ...(versions.stages[current] === undefined ? [current] : [])]
    for (const stage of labels) moveLabel(versions, stage, version)
    this.#write(name, versions)
    return labelsOf(versions, version)
  }

  move(name: string, stage: string, to: string, from: string | undefined): void {
    const versions = this.#read(name)
    if (versions?.texts[to] === undefined)
      throw new SecretsError('ResourceNotFoundException', `There is no version ${to}.`)
    const labelledVersion = versions.stages[stage]
    if (labelledVersion !== undefined && labelledVersion !== from && labelledVersion !== to)
      throw new SecretsError(
        'InvalidParameterException',
        `Staging label ${stage} is on version ${labelledVersion}, which RemoveFromVersionId does not name.`,
      )
    moveLabel(versions, stage, to)
    this.#write(name, versions)
  }

  #read(name: string): Versions | null {
    const versions = this.#secrets.get(name)
    if (versions !== undefined || this.#directory === null) return versions ?? null
    try {
      return Versions.parse(JSON.parse(readFileSync(this.#file(this.#directory, name), 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  #write(name: string, versions: Versions): void {
    this.#secrets.set(name, versions)
    if (this.#directory === null) return
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    writeFileSync(this.#file(this.#directory, name), JSON.stringify(versions), { mode: 0o600 })
  }

  #file = (directory: string, name: string): string => join(directory, `${encodeURIComponent(name)}.json`)
}

const labelsOf = ({ stages }: Versions, version: string): string[] =>
  Object.entries(stages).flatMap(([label, labelledVersion]) => (labelledVersion === version ? [label] : []))

function moveLabel({ stages }: Versions, label: string, to: string): void {
  const from = stages[label]
  if (label === current && from !== undefined && from !== to) stages[previous] = from
  stages[label] = to
}

const Request = z.object({
  SecretId: z.string().default(''),
  SecretString: z.string().default(''),
  ClientRequestToken: z.string().default(''),
  VersionStage: z.string().optional(),
  VersionStages: z.array(z.string()).optional(),
  MoveToVersionId: z.string().default(''),
  RemoveFromVersionId: z.string().optional(),
})
type Request = z.output<typeof Request>

/** @param readOnlyDirectory directory of the read-only secrets; null if there are none */
export function secretsServer(readOnlyDirectory: string | null, created = new CreatedSecrets(null)): Server {
  return createServer(async (request, response) => {
    const respond = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    try {
      const [, call = ''] = String(request.headers['x-amz-target']).split('.')
      const input = Request.parse(await json(request).catch(() => ({})))
      respond(200, await handleCall(call, input, readOnlyDirectory, created))
    } catch (error) {
      const { name, message } = error as Error
      respond(400, { __type: name, message })
    }
  })
}

async function handleCall(
  call: string,
  input: Request,
  readOnlyDirectory: string | null,
  created: CreatedSecrets,
): Promise<object> {
  const name = nameOf(input.SecretId)
  const reference = { ARN: `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-local1`, Name: name }
  const isCreated = created.has(name)
  if (call === 'GetSecretValue' && isCreated) {
    const { text, version, stages } = created.get(name, input.VersionStage) ?? notFound(name)
    return { ...reference, SecretString: text, VersionId: version, VersionStages: stages }
  }
  if (call === 'GetSecretValue') {
    const text = (await contentOf(name, readOnlyDirectory)) ?? notFound(name)
    return { ...reference, SecretString: text, VersionStages: [current] }
  }
  if (!isCreated) return notFound(name)
  if (call === 'PutSecretValue') {
    const { SecretString: text, ClientRequestToken: version, VersionStages: stages } = input
    return { ...reference, VersionId: version, VersionStages: created.put(name, text, version, stages) }
  }
  if (call !== 'UpdateSecretVersionStage')
    throw new SecretsError('InvalidRequestException', `${call} is not supported by the local runner.`)
  created.move(name, input.VersionStage ?? '', input.MoveToVersionId, input.RemoveFromVersionId)
  return reference
}

function notFound(name: string): never {
  throw new SecretsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret ${name}.`,
  )
}

/** Returns the secret's name: an ARN appends a hyphen and six characters to it. */
const nameOf = (id: string): string =>
  id.startsWith('arn:') ? id.replace(/^arn:.*:secret:/, '').replace(/-[A-Za-z0-9]{6}$/, '') : id

async function contentOf(name: string, readOnlyDirectory: string | null): Promise<string | null> {
  const isPath =
    secretNamePattern.test(name) && !name.split('/').some((part) => part === '.' || part === '..')
  if (readOnlyDirectory === null || !isPath) return null
  const file = `${name.replace(clientCertificateSecret(''), '')}.json`
  return readFile(join(readOnlyDirectory, file), 'utf8').catch(() => null)
}
