/** The number that two devices show, in the same digits whatever their languages. */
export function Digits({ number }: { number: string }) {
  return (
    <p class="digits" dir="ltr">
      {number.slice(0, 4)} {number.slice(4)}
    </p>
  );
}
