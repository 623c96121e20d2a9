/** The local runner's Secrets Manager in this process, with the test's secrets. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { secretsServer } from '../../infra/local/aws/secrets.ts'
import { listen } from './listen.ts'
import type { Identity } from './pki.ts'

export interface FakeSecrets {
  url: string
  /** The number of requests. */
  requests: number
  /** While true, every request fails with a service error. */
  isAway: boolean
  /** Stores a secret's text. */
  keep(name: string, text: string): void
  /** Stores a certificate with its key, in the form of a client certificate's secret. */
  keepIdentity(name: string, identity: Pick<Identity, 'cert' | 'key'>): void
  stop(): Promise<void>
}

export const secretOf = ({ cert, key }: Pick<Identity, 'cert' | 'key'>): string =>
  JSON.stringify({ certificate: cert, privateKey: key })

export async function startSecrets(): Promise<FakeSecrets> {
  const directory = mkdtempSync(join(tmpdir(), 'mailflow-secrets-'))
  const behind = secretsServer(directory)
  const server = createServer((request, response) => {
    secrets.requests += 1
    if (secrets.isAway) response.writeHead(500).end('{"__type":"InternalServiceError"}')
    else behind.emit('request', request, response)
  })
  const { url, stop } = await listen(server)
  const secrets: FakeSecrets = {
    url,
    requests: 0,
    isAway: false,
    keep(name, text) {
      const file = join(directory, `${name}.json`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    },
    keepIdentity: (name, identity) => secrets.keep(name, secretOf(identity)),
    async stop() {
      await stop()
      rmSync(directory, { recursive: true })
    },
  }
  return secrets
}
