/** Chooses the period of the numbers of partners. */
import SegmentedControl from '@cloudscape-design/components/segmented-control'
import { useDays } from './use-days.ts'

export function DaysControl() {
  const { days, setDays, periods } = useDays()
  return (
    <>
      <div className="only-printed">Last {days} days</div>
      <div className="not-printed">
        <SegmentedControl
          label="Period"
          selectedId={String(days)}
          options={periods.map((period) => ({ id: String(period), text: `${period} days` }))}
          onChange={({ detail }) => setDays(Number(detail.selectedId))}
        />
      </div>
    </>
  )
}
