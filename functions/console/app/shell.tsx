/** The frame of all views: the bar with the person, the navigation, and what the session needs to say. */
import AppLayout from '@cloudscape-design/components/app-layout'
import SideNavigation from '@cloudscape-design/components/side-navigation'
import TopNavigation from '@cloudscape-design/components/top-navigation'
import { Suspense, useEffect, useRef } from 'react'
import { Route, Switch, useLocation } from 'wouter'
import { consolePath } from '../../../shared/contract/console.ts'
import type { CallerAnswer } from './api/types.ts'
import { useRead } from './api/use-api.ts'
import { ErrorBoundary } from './components/error-boundary.tsx'
import { NotFound } from './components/not-found.tsx'
import { Reading } from './components/reading.tsx'
import { useAtTime } from './components/use-at-time.ts'
import type { ConsoleConfig } from './console-config.ts'
import { SessionNotices } from './sign-in/session-notices.tsx'
import { SessionOver } from './sign-in/session-over.tsx'
import type { Session } from './sign-in/sign-in.ts'
import { views } from './views.tsx'

const hrefOf = (path: string): string => `${consolePath}${path === '/' ? '' : path}`

const items = views.flatMap(({ path, title }) =>
  title === undefined ? [] : [{ type: 'link' as const, text: title, href: hrefOf(path) }],
)

/** The keyboard and a screen reader continue at the new view, not in the navigation. */
function useFocusAfterNavigation(path: string) {
  const viewStart = useRef<HTMLDivElement>(null)
  const shownPath = useRef(path)
  useEffect(() => {
    if (shownPath.current === path) return
    shownPath.current = path
    viewStart.current?.focus()
  }, [path])
  return viewStart
}

/** Fits the longest title, and leaves more room for tables than the width of the component. */
const navigationWidth = 220

interface ShellProps {
  config: ConsoleConfig
  /** Null without sign-in. */
  session: Session | null
}

export function Shell({ config, session }: ShellProps) {
  const [path, navigate] = useLocation()
  // A session that ended before its time still shows what was read.
  const isOver = useAtTime((now) => session !== null && now >= session.until)
  const { data: caller } = useRead<CallerAnswer>('/caller')
  const viewStart = useFocusAfterNavigation(path)
  return (
    <>
      <div id="top">
        <TopNavigation
          identity={{ href: consolePath, title: 'mailflow' }}
          utilities={
            session === null
              ? []
              : [
                  {
                    type: 'menu-dropdown',
                    text: session.name ?? 'Signed in',
                    description: caller?.roles?.join(', ') ?? '',
                    iconName: 'user-profile',
                    items: [{ id: 'sign-out', text: 'Sign out everywhere' }],
                    onItemClick: () => void session.signOut(),
                  },
                ]
          }
        />
      </div>
      <AppLayout
        headerSelector="#top"
        toolsHide
        navigationWidth={navigationWidth}
        navigation={
          <SideNavigation
            header={{ href: consolePath, text: 'Mail gateway' }}
            activeHref={hrefOf(`/${path.split('/')[1] ?? ''}`)}
            items={items}
            onFollow={(event) => {
              if (event.detail.external) return
              event.preventDefault()
              navigate(event.detail.href.slice(consolePath.length) || '/')
            }}
          />
        }
        notifications={<SessionNotices signIn={config.signIn} session={session} />}
        content={
          // A view that failed must not hide the next one.
          <ErrorBoundary key={path} what="this view" heading="The console has a fault">
            <div ref={viewStart} tabIndex={-1} className="view-start" />
            {isOver ? (
              <SessionOver />
            ) : (
              <Suspense fallback={<Reading what="the view" />}>
                <Switch>
                  {views.map(({ path: viewPath, component: Component }) => (
                    <Route key={viewPath} path={viewPath}>
                      <Component />
                    </Route>
                  ))}
                  <Route>
                    <NotFound />
                  </Route>
                </Switch>
              </Suspense>
            )}
          </ErrorBoundary>
        }
      />
    </>
  )
}
