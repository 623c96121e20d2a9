/** Starts the console: reads how people sign in, signs in, and shows the view of the address. */
import '@cloudscape-design/global-styles/index.css'
import './console.css'
import Box from '@cloudscape-design/components/box'
import { I18nProvider } from '@cloudscape-design/components/i18n'
import english from '@cloudscape-design/components/i18n/messages/all.en'
import { applyMode, Mode } from '@cloudscape-design/global-styles'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { Router } from 'wouter'
import { consolePath } from '../../../shared/contract/console.ts'
import { createApiClient } from './api/api-client.ts'
import { ApiError, isLost } from './api/api-error.ts'
import { ApiContext } from './api/use-api.ts'
import { ErrorBoundary } from './components/error-boundary.tsx'
import { Failure } from './components/failure.tsx'
import { Reading } from './components/reading.tsx'
import { readConsoleConfig } from './console-config.ts'
import { guardedNavigation } from './navigation-guard.ts'
import { Shell } from './shell.tsx'
import { endSession } from './sign-in/session-state.ts'
import { SessionEnded, signedOutPath, signIn } from './sign-in/sign-in.ts'
import { SignedOut } from './sign-in/signed-out.tsx'

const darkMode = matchMedia('(prefers-color-scheme: dark)')
const followMode = () => applyMode(darkMode.matches ? Mode.Dark : Mode.Light)
followMode()
darkMode.addEventListener('change', followMode)
// Paper is white.
addEventListener('beforeprint', () => applyMode(Mode.Light))
addEventListener('afterprint', followMode)

const root = createRoot(document.getElementById('app') as HTMLElement)

/** A request that may succeed later is repeated; one that the API refused is not. */
const isTransient = (error: unknown): boolean =>
  error instanceof ApiError && (isLost(error.status) || error.status === 429)

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && isTransient(error),
      staleTime: 10_000,
      networkMode: 'always',
      refetchOnReconnect: true,
    },
    // By default, a request without a network is sent when there is one again, though the person may have cancelled it.
    mutations: { networkMode: 'always' },
  },
})

try {
  await start()
} catch (error) {
  renderBare(
    'The console cannot start',
    <Failure title="Cannot start" error={error as Error} retry={() => location.reload()} />,
  )
}

/** Renders a page without navigation. */
function renderBare(heading: string, content: ReactNode): void {
  root.render(
    <main>
      <Box padding="l">
        <Box variant="h1">{heading}</Box>
        {content}
      </Box>
    </main>,
  )
}

async function start(): Promise<void> {
  if (location.pathname === signedOutPath) return root.render(<SignedOut />)
  renderBare('mailflow', <Reading what="the settings of the console" />)
  const config = await readConsoleConfig()
  const session = config.signIn === null ? null : await signIn(config.signIn)
  if (config.signIn !== null && session === null) return
  const api = createApiClient(async () => {
    try {
      return session === null ? null : await session.token()
    } catch (error) {
      const { message } = error as Error
      throw new ApiError(error instanceof SessionEnded ? 401 : 0, message)
    }
  }, endSession)
  root.render(
    <I18nProvider locale="en" messages={[english]}>
      <QueryClientProvider client={queries}>
        <ApiContext value={api}>
          <Router base={consolePath} aroundNav={guardedNavigation}>
            <ErrorBoundary what="the console">
              <Shell config={config} session={session} />
            </ErrorBoundary>
          </Router>
        </ApiContext>
      </QueryClientProvider>
    </I18nProvider>,
  )
}
