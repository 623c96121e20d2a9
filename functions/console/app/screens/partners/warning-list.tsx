/** Warnings about connectors, one a line. */
import Alert from '@cloudscape-design/components/alert'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import type { Warning } from './partner-rows.ts'

interface WarningListProps {
  header: string
  warnings: readonly Warning[]
}

export const WarningList = ({ header, warnings }: WarningListProps) => (
  <Alert type="warning" header={header}>
    <ul className="sentences">
      {warnings.map(({ long }) => (
        <li key={long}>
          <TextOfOthers text={long} />
        </li>
      ))}
    </ul>
  </Alert>
)
