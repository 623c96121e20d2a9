/** CSV as an answer of the API, which a browser stores as a file. Pure. */
import type { RouteResponse } from './route.ts'

/** @param name name of the file that a browser stores, without its extension */
export const csvResponse = (name: string, csv: string): RouteResponse => ({
  status: 200,
  headers: {
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': `attachment; filename="${name}.csv"`,
  },
  body: csv,
})
