/** The addresses of all views of the console, so that a test of all covers a new one. */
import { readFileSync } from 'node:fs'
import type { ConsoleTest } from './console.ts'
import { waitForResult } from './local/runner.ts'

/** Node.js cannot load the registry itself: it is TSX. */
const registry = readFileSync(new URL('../../functions/console/app/views.tsx', import.meta.url), 'utf8')

/** The paths of the registry, such as `/partners/:name`. */
export const viewPaths: readonly string[] = [...registry.matchAll(/\bpath: '([^']+)'/g)].map(
  ([, path = '']) => path,
)

/** Values of parameters that the demo has. The first pattern that matches counts. */
const samples: readonly [path: RegExp, value: string][] = [
  [/^\/reports\/:name/, 'connector-tls'],
  [/:name\b/, 'bank.example'],
  [/:domain\b/, 'ours.example'],
  [/:direction\b/, 'inbound'],
]

/**
 * Returns the address of a view.
 * @param messageId of an existing message
 * @throws Error for a parameter without a sample: add one
 */
export function addressOf(path: string, messageId: string): string {
  const values: typeof samples = [[/^\/messages\/:id/, messageId], ...samples]
  let address = path
  while (address.includes('/:')) {
    const [pattern, value] = values.find(([each]) => each.test(address)) ?? []
    if (pattern === undefined || value === undefined)
      throw new Error(`test/support/console-views.ts has no sample for ${path}`)
    address = address.replace(/:\w+/, value)
  }
  return address === '/' ? '' : address
}

/** Waits until the demo's messages are there, and returns the id of one. */
export async function demoMessageId(console: ConsoleTest): Promise<string> {
  return waitForResult(async () => {
    const { body } = await console.api('GET', '/messages?recipient=dr@clinic.example')
    return (body as { items: { id: string }[] }).items[0]?.id ?? null
  })
}

export interface ConsoleView {
  /** Names the files of its screenshots. */
  readonly name: string
  readonly address: string
}

/** Addresses that show a view with other content. */
const furtherViews: readonly ConsoleView[] = [
  { name: 'refused', address: '/messages?state=Rejected' },
  { name: 'partner-clinic', address: '/partners/clinic.example' },
  { name: 'report-rejected', address: '/reports/rejected' },
]

/** Recipients of the demo whose messages have a state of their own. */
const furtherMessages = { delivered: 'teller@bank.example', bounced: 'guard@vault.example' }

/** Returns each view at an address of the demo, and some with other content. */
export async function consoleViews(console: ConsoleTest): Promise<ConsoleView[]> {
  const deferred = await demoMessageId(console)
  const messages = Object.entries(furtherMessages).map(async ([state, recipient]) => {
    const { body } = await console.api('GET', `/messages?recipient=${recipient}`)
    return {
      name: `message-${state}`,
      address: `/messages/${(body as { items: { id: string }[] }).items[0]?.id}`,
    }
  })
  const views = viewPaths.map((path) => ({
    name: path.replaceAll(/\W+/g, '-').replace(/^-/, '') || 'overview',
    address: addressOf(path, deferred),
  }))
  return [...views, ...furtherViews, ...(await Promise.all(messages))]
}
