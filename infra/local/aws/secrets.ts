/**
 * Stands in for Secrets Manager: a secret is a file, read whenever it is asked for. Of the connectors' client
 * certificates the file is `<NAME>.json`, of any other secret `<its whole name>.json`.
 */
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { clientCertificateSecret } from '../../../shared/contract/secrets.ts'
import { accountId, region } from '../template.ts'

const ownName = /^[\w+=.@-]+(\/[\w+=.@-]+)*$/

/** @param directory where the files are; null has none, so no secret exists */
export function secretsServer(directory: string | null): Server {
  return createServer(async (request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    const refuse = (name: string, message: string) => answer(400, { __type: name, message })
    if (request.headers['x-amz-target'] !== 'secretsmanager.GetSecretValue')
      return refuse('InvalidRequestException', 'Only GetSecretValue is known here.')
    const { SecretId } = (await json(request).catch(() => ({}))) as { SecretId?: unknown }
    const name = nameOf(String(SecretId))
    const text = await contentOf(name, directory)
    if (text === null)
      return refuse('ResourceNotFoundException', `Secrets Manager can't find the specified secret ${name}.`)
    const ARN = `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-local1`
    return answer(200, { ARN, Name: name, SecretString: text, VersionStages: ['AWSCURRENT'] })
  })
}

/** An ARN ends in the name, a hyphen and six characters. */
const nameOf = (id: string): string =>
  id.startsWith('arn:') ? id.replace(/^arn:.*:secret:/, '').replace(/-[A-Za-z0-9]{6}$/, '') : id

async function contentOf(name: string, directory: string | null): Promise<string | null> {
  const isPath = ownName.test(name) && !name.split('/').some((part) => part === '.' || part === '..')
  if (directory === null || !isPath) return null
  const file = `${name.replace(clientCertificateSecret(''), '')}.json`
  return readFile(join(directory, file), 'utf8').catch(() => null)
}
