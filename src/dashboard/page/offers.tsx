import { useId } from 'preact/hooks';
import type { TargetKind } from '../wire.ts';
import type { Offer } from './actions.ts';
import { asked } from './state.ts';

/** Buttons for what can be asked of a policy or a node. What the user may not do stays reachable, and says why. */
export function Offers({ offers, kind, name }: { offers: readonly Offer[]; kind: TargetKind; name: string }) {
  const why = useId();
  const forbidden = offers.find((offer) => offer.forbidden !== undefined)?.forbidden;
  if (offers.length === 0) return null;
  return (
    <div class="offers">
      {offers.map((offer) => (
        <button
          key={`${offer.verb} ${offer.now}`}
          type="button"
          class="button"
          aria-disabled={offer.forbidden !== undefined}
          aria-label={`${offer.label}: ${kind === 'policy' ? 'policy' : 'node'} ${name}`}
          aria-describedby={offer.forbidden === undefined ? undefined : why}
          title={offer.forbidden}
          onClick={() => {
            if (offer.forbidden === undefined) asked.value = { offer, kind, name };
          }}
        >
          {offer.label}
        </button>
      ))}
      {forbidden !== undefined && (
        <p id={why} class="hint">
          {forbidden}
        </p>
      )}
    </div>
  );
}
