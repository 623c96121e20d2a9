/** Each view of the console, at an address of the demo. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConsoleTest } from './console.ts'

export interface ConsoleView {
  /** Names the files of its screenshots. */
  readonly name: string
  /** The address within the console. */
  readonly address: string
}

/** The address of each view by its path in views.tsx. */
type Addresses = Readonly<Record<string, readonly ConsoleView[]>>

/** Returns views of which each path in views.tsx has at least one, with the mail of the demo. */
export async function consoleViews(console: Pick<ConsoleTest, 'api'>): Promise<ConsoleView[]> {
  const first = async (query: string): Promise<string> => {
    const { body } = await console.api('GET', `/messages?${query}`)
    return (body as { items: { id: string }[] }).items[0]?.id ?? 'unknown'
  }
  const addresses: Addresses = {
    '/': [{ name: 'overview', address: '/' }],
    '/messages': [
      { name: 'messages', address: '/messages' },
      { name: 'refused', address: '/messages?state=Rejected' },
    ],
    '/messages/:id': [
      { name: 'message-delivered', address: `/messages/${await first('sender=teller@bank.example')}` },
      { name: 'message-bounced', address: `/messages/${await first('recipient=guard@vault.example')}` },
      { name: 'message-deferred', address: `/messages/${await first('recipient=dr@clinic.example')}` },
    ],
    '/partners': [{ name: 'partners', address: '/partners' }],
    '/partners/:name': [
      { name: 'partner-bank', address: '/partners/bank.example' },
      { name: 'partner-clinic', address: '/partners/clinic.example' },
    ],
    '/queues': [{ name: 'queues', address: '/queues' }],
    '/reports': [{ name: 'reports', address: '/reports' }],
    '/reports/:name': [
      { name: 'report-connector-tls', address: '/reports/connector-tls' },
      { name: 'report-rejected', address: '/reports/rejected' },
    ],
    '/changes': [{ name: 'changes', address: '/changes' }],
  }
  return viewPaths().flatMap((path) => {
    const views = addresses[path]
    if (views === undefined) throw new Error(`test/support/console-views.ts has no address for ${path}`)
    return views
  })
}

/** Returns the paths in views.tsx. Node cannot import that file, because it contains JSX. */
function viewPaths(): string[] {
  const file = join(import.meta.dirname, '../../functions/console/app/views.tsx')
  return [...readFileSync(file, 'utf8').matchAll(/path: '([^']+)'/g)].map(([, path = '']) => path)
}
