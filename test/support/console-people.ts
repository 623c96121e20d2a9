/** A console whose users sign in at an identity provider, in the test's process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConsolePage, type ConsoleTest, type OpenOptions, startConsole } from './console.ts'
import {
  audience,
  clientId,
  type IdentityProvider,
  scope,
  startIdentityProvider,
} from './identity-provider.ts'
import { launchTrusting } from './local/runner.ts'
import { createPki } from './pki.ts'
import { trust } from './policy-host.ts'

export interface PeopleConsole extends ConsoleTest {
  readonly provider: IdentityProvider
  /** Opens a view as a user of the provider. */
  openAs(user: string, view?: string, options?: OpenOptions): Promise<ConsolePage>
}

export interface PeopleOptions {
  /** The groups of each user. */
  groups: Readonly<Record<string, unknown>>
  /** The role of each group. */
  mapping: Readonly<Record<string, string>>
  /** @default ['--no-demo'] */
  args?: readonly string[]
  sessionMinutes?: number
}

export async function startPeopleConsole({
  groups,
  mapping,
  args = ['--no-demo'],
  sessionMinutes,
}: PeopleOptions): Promise<PeopleConsole> {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-people-'))
  const pki = await createPki()
  const tls = await pki.issue({ names: ['localhost'], addresses: ['127.0.0.1'] })
  trust(pki.ca)
  const provider = await startIdentityProvider(tls, groups)
  const settings = {
    jwt: {
      issuer: provider.issuer,
      audience: [audience],
      scopes: [scope],
      roles: { claim: 'groups', mapping },
    },
    console: { clientId, ...(sessionMinutes !== undefined && { sessionMinutes }) },
  }
  const file = join(folder, 'settings.json')
  writeFileSync(file, JSON.stringify(settings))
  const console = await startConsole([...args, '--settings', file], launchTrusting(pki.ca))
  return {
    ...console,
    provider,
    openAs: (user, view = '', options = {}) => {
      provider.browserUser = user
      return console.open(view, { ignoreHTTPSErrors: true, ...options })
    },
    close: async () => {
      await console.close()
      await provider.stop()
      rmSync(folder, { recursive: true })
    },
  }
}
