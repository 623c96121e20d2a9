/** Places the filters of a list side by side, as many as fit. */
import type { ReactNode } from 'react'

export const Filters = ({ children }: { children: ReactNode }) => <div className="filters">{children}</div>
