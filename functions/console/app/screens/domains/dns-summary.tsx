/** What DNS says of a domain, in one line of the list. It is checked when the row is on the screen. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useEffect, useRef, useState } from 'react'
import { Time } from '../../components/time.tsx'
import { type DnsSummaryText, summaryOf } from './dns-texts.ts'
import { useDns } from './use-dns.ts'

export function DnsSummary({ domain }: { domain: string }) {
  const [element, isVisible] = useVisible<HTMLDivElement>()
  const { data, error, dataUpdatedAt, isFetching, refetch } = useDns(domain, isVisible)
  return (
    <div ref={element}>
      {data !== undefined && !isFetching ? (
        <Summary {...summaryOf(data)} at={new Date(dataUpdatedAt).toISOString()} />
      ) : error !== null && !isFetching ? (
        <SpaceBetween direction="horizontal" size="xs" alignItems="center">
          <StatusIndicator type="warning">{`Not checked: ${error.message}`}</StatusIndicator>
          <Button variant="inline-link" ariaLabel={`Check ${domain} again`} onClick={() => void refetch()}>
            Check again
          </Button>
        </SpaceBetween>
      ) : (
        <StatusIndicator type={isFetching ? 'loading' : 'pending'}>
          {isFetching ? 'Checking' : 'Waits'}
        </StatusIndicator>
      )}
    </div>
  )
}

const Summary = ({ indication, text, others, at }: DnsSummaryText & { at: string }) => (
  <>
    <StatusIndicator type={indication} wrapText>
      {text}
    </StatusIndicator>
    {others.map((other) => (
      <div key={other}>{other}</div>
    ))}
    <Box variant="small" color="text-body-secondary" display="block">
      Checked <Time at={at} />
    </Box>
  </>
)

/** @returns whether the element is, or was, on the screen */
function useVisible<T extends Element>() {
  const element = useRef<T>(null)
  const [isVisible, setIsVisible] = useState(false)
  useEffect(() => {
    if (element.current === null) return
    const observer = new IntersectionObserver((entries) =>
      setIsVisible(entries.some(({ isIntersecting }) => isIntersecting)),
    )
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return [element, isVisible] as const
}
