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

/** Values of parameters that the demo has, and ids of this run. The first pattern that matches counts. */
export type Samples = readonly [path: RegExp, value: string][]

const samples: Samples = [
  [/^\/reports\/:name/, 'connector-tls'],
  [/:name\b/, 'bank.example'],
  [/:domain\b/, 'ours.example'],
  [/:direction\b/, 'inbound'],
]

/**
 * Returns the address of a view.
 * @throws Error for a parameter without a sample: add one
 */
export function addressOf(path: string, ids: Samples): string {
  let address = path
  while (address.includes('/:')) {
    const [pattern, value] = [...samples, ...ids].find(([each]) => each.test(address)) ?? []
    if (pattern === undefined || value === undefined)
      throw new Error(`test/support/console-views.ts has no sample for ${path}`)
    address = address.replace(/:\w+/, value)
  }
  return address === '/' ? '' : address
}

/** Waits until the demo's messages are there, and returns ids of this run. */
export async function demoIds(console: Pick<ConsoleTest, 'api'>): Promise<Samples> {
  const idOf = async (path: string, isWanted: (item: { id: string; name?: string }) => boolean) => {
    const { body } = await console.api('GET', path)
    return (body as { items: { id: string }[] }).items.find(isWanted)?.id ?? null
  }
  const message = await waitForResult(() => idOf('/messages?recipient=dr@clinic.example', () => true))
  const connector = await idOf('/inbound-connectors', ({ name }) => name === 'From the bank')
  const certificate = await idOf('/certificates/unknown', () => true)
  return [
    [/^\/messages\/:id/, message],
    [/^\/partners\/.*\/:id/, connector ?? 'none'],
    [/^\/unknown-certificates\/:id/, certificate ?? 'none'],
  ]
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
export async function consoleViews(console: Pick<ConsoleTest, 'api'>): Promise<ConsoleView[]> {
  const ids = await demoIds(console)
  const messages = Object.entries(furtherMessages).map(async ([state, recipient]) => {
    const { body } = await console.api('GET', `/messages?recipient=${recipient}`)
    return {
      name: `message-${state}`,
      address: `/messages/${(body as { items: { id: string }[] }).items[0]?.id}`,
    }
  })
  const views = viewPaths.map((path) => ({
    name: path.replaceAll(/\W+/g, '-').replace(/^-/, '') || 'overview',
    address: addressOf(path, ids),
  }))
  return [...views, ...furtherViews, ...(await Promise.all(messages))]
}
