/** The period of the numbers of a partner's page, which the address keeps. */
import { useViewState } from '../../use-view-state.ts'

const periods = [7, 30, 90] as const

export function useDays() {
  const [{ days: text }, change] = useViewState()
  const days = periods.find((period) => String(period) === text) ?? 7
  return {
    days,
    periods,
    setDays: (period: number) => change({ days: period === 7 ? '' : String(period) }),
  }
}
