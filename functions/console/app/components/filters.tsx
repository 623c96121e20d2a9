/** Places the filters of a table side by side, as many as fit. */
import Grid from '@cloudscape-design/components/grid'
import { Children, type ReactNode } from 'react'

export function Filters({ children }: { children: ReactNode }) {
  const filters = Children.toArray(children)
  return (
    <Grid gridDefinition={filters.map(() => ({ colspan: { default: 12, xxs: 6, xs: 4, s: 3 } }))}>
      {filters}
    </Grid>
  )
}
