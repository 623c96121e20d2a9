/** Whether the component is still shown when an answer arrives that would lead the person to another view. */
import { type RefObject, useEffect, useRef } from 'react'

export function useIsMounted(): Readonly<RefObject<boolean>> {
  const isMounted = useRef(false)
  useEffect(() => {
    isMounted.current = true
    return () => {
      isMounted.current = false
    }
  }, [])
  return isMounted
}
