/** Says which summaries are sent. Pure. */
import type { Configuration } from '../../api/types.ts'

export function summariesText(summaries: Configuration['summaries']): string {
  const isDaily = summaries.includes('Daily')
  if (!summaries.includes('Weekly'))
    return isDaily ? 'A daily summary is sent by mail.' : 'No summary is sent by mail.'
  return isDaily
    ? 'A daily summary is sent by mail, and a weekly one on Mondays.'
    : 'A weekly summary is sent by mail on Mondays.'
}
