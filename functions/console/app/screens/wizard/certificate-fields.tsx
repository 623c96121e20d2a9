/** Fields about certificates that connectors of both directions have. */
import { ChoiceField, ListField } from './controls.tsx'

export const VersionField = () => (
  <ChoiceField
    name="minimumTlsVersion"
    label="Oldest TLS version"
    items={[
      { value: 'TLSv1.2', label: 'TLS 1.2' },
      { value: 'TLSv1.3', label: 'TLS 1.3', description: 'Needs forced TLS.' },
    ]}
  />
)

export const AuthoritiesField = () => (
  <ListField
    name="certificateAuthorities"
    label="Certificate authorities"
    description="PEM. Only these are trusted. Empty: the public authorities."
    separators="One below another, at most 32 KiB together."
    noun="certificate"
    placeholder="-----BEGIN CERTIFICATE-----"
    rows={4}
  />
)

export const RevocationField = () => (
  <ChoiceField
    name="revocationCheck"
    label="Revocation"
    items={[
      { value: 'SoftFail', label: 'SoftFail', description: 'A revoked certificate is not accepted.' },
      {
        value: 'HardFail',
        label: 'HardFail',
        description: 'Nor is one whose revocation is undetermined.',
      },
      { value: 'None', label: 'None', description: 'Revocation is not checked.' },
    ]}
  />
)
