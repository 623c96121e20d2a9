/** Fields of the connector that this version of the console does not show. A change keeps them. */
import Alert from '@cloudscape-design/components/alert'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { valueText } from '../changes/changed-fields.ts'

interface FieldsNotShownProps {
  fields: readonly [string, unknown][]
  name: string
}

export const FieldsNotShown = ({ fields, name }: FieldsNotShownProps) => (
  <Alert type="info" header="Fields that this page does not show">
    They are kept. To change them: “npx mailflow connectors set”.
    <dl className="changed-fields">
      {fields.map(([field, value]) => (
        <div key={field}>
          <dt>{field}</dt>
          <dd>
            <TextOfOthers text={valueText(value)} />
          </dd>
        </div>
      ))}
    </dl>
    <span className="text-of-others">{`npx mailflow connectors set ${JSON.stringify(name)} ${fields[0]?.[0]}=VALUE`}</span>
  </Alert>
)
