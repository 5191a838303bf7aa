package ledger

import "time"

// waiting keeps what came before the account it belongs to, for as long as the
// clocks may be apart. The zero value is ready.
type waiting[T any] struct {
	byKey map[string][]T
	order []arrival // by time
}

type arrival struct {
	key string
	at  time.Time
}

func (w *waiting[T]) put(key string, at time.Time, value T) {
	if w.byKey == nil {
		w.byKey = map[string][]T{}
	}
	w.byKey[key] = append(w.byKey[key], value)
	w.order = append(w.order, arrival{key, at})
}

// take takes what waits for an account.
func (w *waiting[T]) take(key string) []T {
	values := w.byKey[key]
	delete(w.byKey, key)
	return values
}

// expire gives up, one by one, on what came before a time.
func (w *waiting[T]) expire(before time.Time, tell func(T) error) error {
	for len(w.order) > 0 && w.order[0].at.Before(before) {
		key := w.order[0].key
		w.order = w.order[1:]
		values := w.byKey[key]
		if len(values) == 0 {
			continue // taken
		}
		if w.byKey[key] = values[1:]; len(values) == 1 {
			delete(w.byKey, key)
		}
		if err := tell(values[0]); err != nil {
			return err
		}
	}
	return nil
}
