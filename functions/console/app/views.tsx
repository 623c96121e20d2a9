/** The views of the console. Each is loaded when it is opened. */
import { type ComponentType, type LazyExoticComponent, lazy } from 'react'

export interface View {
  /** Path within the console; `:name` is a parameter. */
  path: string
  /** In the navigation; absent: the view is reached from another. */
  title?: string
  component: LazyExoticComponent<ComponentType>
}

export const views: readonly View[] = [
  { path: '/', title: 'Overview', component: lazy(() => import('./screens/overview.tsx')) },
  { path: '/messages', title: 'Message trace', component: lazy(() => import('./screens/messages.tsx')) },
  { path: '/messages/:id', component: lazy(() => import('./screens/message.tsx')) },
]
