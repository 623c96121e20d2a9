/** A value of a field; a certificate by its fingerprint. */
import { useEffect, useState } from 'react'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { isCertificate, valueText } from './changed-fields.ts'
import { fingerprintOfPem } from './fingerprint-of-pem.ts'

export function FieldValue({ value }: { value: unknown }) {
  if (Array.isArray(value) && value.some((item) => typeof item === 'string' && isCertificate(item)))
    return value.map((item) => <FieldValue key={String(item)} value={item} />)
  if (typeof value === 'string' && isCertificate(value)) return <Certificate pem={value} />
  return <TextOfOthers text={valueText(value)} />
}

function Certificate({ pem }: { pem: string }) {
  const [fingerprint, setFingerprint] = useState('')
  useEffect(() => {
    let isShown = true
    void fingerprintOfPem(pem).then((text) => isShown && setFingerprint(text))
    return () => {
      isShown = false
    }
  }, [pem])
  return <div>{`certificate with SHA-256 ${fingerprint}`}</div>
}
