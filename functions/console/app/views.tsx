/** The views of the console. Each is loaded when it is opened. */
import type { ComponentType, LazyExoticComponent } from 'react'
import { lazyView as lazy } from './lazy-view.ts'

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
  { path: '/partners', title: 'Partners', component: lazy(() => import('./screens/partners.tsx')) },
  { path: '/partners/add', component: lazy(() => import('./screens/connector-add.tsx')) },
  {
    path: '/partners/:name/edit/:direction/:id',
    component: lazy(() => import('./screens/connector-edit.tsx')),
  },
  { path: '/partners/:name', component: lazy(() => import('./screens/partner.tsx')) },
  {
    path: '/queues',
    title: 'Held and deferred',
    component: lazy(() => import('./screens/queues/queues.tsx')),
  },
  {
    path: '/unknown-certificates',
    title: 'Unknown certificates',
    component: lazy(() => import('./screens/unknown-certificates/unknown-certificates.tsx')),
  },
  {
    path: '/unknown-certificates/:id',
    component: lazy(() => import('./screens/unknown-certificates/unknown-certificate.tsx')),
  },
  {
    path: '/certificates',
    title: 'Certificates',
    component: lazy(() => import('./screens/certificates/certificates.tsx')),
  },
  { path: '/reports', title: 'Reports', component: lazy(() => import('./screens/reports/reports.tsx')) },
  { path: '/reports/:name', component: lazy(() => import('./screens/reports/report-view.tsx')) },
  { path: '/domains', title: 'Domains', component: lazy(() => import('./screens/domains.tsx')) },
  { path: '/domains/:domain', component: lazy(() => import('./screens/domain.tsx')) },
  {
    path: '/conformance',
    title: 'Conformance',
    component: lazy(() => import('./screens/conformance.tsx')),
  },
  { path: '/changes', title: 'Changes', component: lazy(() => import('./screens/changes/changes.tsx')) },
]
