/** Starts a search for mail that the trace no longer has. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import FormField from '@cloudscape-design/components/form-field'
import Modal from '@cloudscape-design/components/modal'
import Select from '@cloudscape-design/components/select'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { dayMs } from '../../../../../shared/contract/durations.ts'
import type { ApiError } from '../../api/api-error.ts'
import type { StartedSearch } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { Time } from '../../components/time.tsx'
import type { ViewState } from '../../use-view-state.ts'
import { QueryFailure } from './query-failure.tsx'
import { searchInput } from './trace-filters.ts'

/** Days back from now; empty: the period of the list. */
const periods = [
  { value: '', label: 'As in the list' },
  ...[7, 30, 90].map((days) => ({ value: String(days), label: `Last ${days} days` })),
]

type SearchInput = ReturnType<typeof searchInput>

interface SearchButtonProps {
  state: ViewState
  change(change: Readonly<Record<string, string>>): void
  variant?: 'primary' | 'normal'
}

export function SearchButton({ state, change, variant = 'normal' }: SearchButtonProps) {
  const [input, setInput] = useState<SearchInput | null>(null)
  const [period, setPeriod] = useState('')
  const choose = (days: string) => {
    const { from: _, ...rest } = searchInput(state, Date.now())
    setPeriod(days)
    setInput(
      days === ''
        ? searchInput(state, Date.now())
        : { ...rest, from: new Date(Date.now() - Number(days) * dayMs).toISOString() },
    )
  }
  const api = useApi()
  const start = useMutation<StartedSearch, ApiError, SearchInput>({
    mutationFn: (sent) => api.send<StartedSearch>('POST', '/message-searches', sent),
  })
  // These callbacks do not run for a search that was cancelled or left.
  const search = (sent: SearchInput) =>
    start.mutate(sent, {
      onSuccess: ({ id }, { from, to }) => {
        setInput(null)
        change({ from: String(from), to: String(to), last: '', cursor: '', search: id })
      },
    })
  const close = () => {
    setInput(null)
    start.reset()
  }
  return (
    <>
      <Button variant={variant} onClick={() => choose(period)}>
        Search older mail
      </Button>
      {input !== null && (
        <Modal
          visible
          onDismiss={close}
          header="Search older mail"
          footer={
            <Box float="right">
              <SpaceBetween direction="horizontal" size="xs">
                <Button variant="link" onClick={close}>
                  Cancel
                </Button>
                <Button variant="primary" loading={start.isPending} onClick={() => search(input)}>
                  Search
                </Button>
              </SpaceBetween>
            </Box>
          }
        >
          <SpaceBetween size="s">
            <FormField label="Period">
              <Select
                selectedOption={periods.find(({ value }) => value === period) ?? null}
                options={periods}
                disabled={start.isPending}
                onChange={({ detail }) => choose(detail.selectedOption.value ?? '')}
              />
            </FormField>
            <Box>
              Searches the recorded events from <Time at={String(input.from)} /> to{' '}
              <Time at={String(input.to)} /> with the same filters. Refusals are found too.
            </Box>
            <Alert type="info">
              The search runs for seconds to minutes. AWS charges for the octets that it reads: a shorter
              period reads less. It finds the newest 100,000 rows. Mail of the last two hours may be missing.
            </Alert>
            {start.error !== null && <QueryFailure error={start.error} retry={() => search(input)} />}
          </SpaceBetween>
        </Modal>
      )}
    </>
  )
}
