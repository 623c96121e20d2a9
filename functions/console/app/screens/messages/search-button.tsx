/** Starts a search for mail that the trace no longer has. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Modal from '@cloudscape-design/components/modal'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { ApiError } from '../../api/api-error.ts'
import type { StartedSearch } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { Time } from '../../components/time.tsx'
import type { ViewState } from '../../use-view-state.ts'
import { QueryFailure } from './query-failure.tsx'
import { searchInput } from './trace-filters.ts'

interface SearchButtonProps {
  state: ViewState
  change(change: Readonly<Record<string, string>>): void
  variant?: 'primary' | 'normal'
}

export function SearchButton({ state, change, variant = 'normal' }: SearchButtonProps) {
  const [input, setInput] = useState<ReturnType<typeof searchInput> | null>(null)
  const api = useApi()
  const start = useMutation<StartedSearch, ApiError>({
    mutationFn: () => api.send<StartedSearch>('POST', '/message-searches', input),
    onSuccess: ({ id }) => {
      setInput(null)
      change({
        from: String(input?.from),
        to: String(input?.to),
        last: '',
        cursor: '',
        search: id,
      })
    },
  })
  const close = () => {
    setInput(null)
    start.reset()
  }
  return (
    <>
      <Button variant={variant} onClick={() => setInput(searchInput(state, Date.now()))}>
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
                <Button variant="primary" loading={start.isPending} onClick={() => start.mutate()}>
                  Search
                </Button>
              </SpaceBetween>
            </Box>
          }
        >
          <SpaceBetween size="s">
            <Box>
              Searches the recorded events from <Time at={String(input.from)} /> to{' '}
              <Time at={String(input.to)} /> with the same filters. Refusals are found too.
            </Box>
            <Alert type="info">
              The search runs for seconds to minutes. AWS charges for the octets that it reads: a shorter
              period reads less. It finds the newest 100,000 rows. Mail of the last two hours may be missing.
            </Alert>
            {start.error !== null && <QueryFailure error={start.error} retry={() => start.mutate()} />}
          </SpaceBetween>
        </Modal>
      )}
    </>
  )
}
