package fakeregistry

// recentLimit is how many keys of one kind a fault remembers at least, and at most
// twice that: connections, digests, repositories, upload sessions. What is older and
// was not asked for meanwhile is forgotten, and begins anew when it comes again.
const recentLimit = 1 << 12

// A recent map remembers what was asked for last. The zero map is ready. Whoever uses
// it guards it.
type recent[K comparable, V any] struct{ young, old map[K]V }

// get gives the value of a key, and keeps it in mind.
func (r *recent[K, V]) get(key K) (V, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.put(key, v)
	}
	return v, ok
}

// put gives a key its value.
func (r *recent[K, V]) put(key K, v V) {
	if _, there := r.young[key]; !there && len(r.young) >= recentLimit {
		r.old, r.young = r.young, nil
	}
	if r.young == nil {
		r.young = map[K]V{}
	}
	r.young[key] = v
	delete(r.old, key)
}

// remembered is how many keys there are.
func (r *recent[K, V]) remembered() int { return len(r.young) + len(r.old) }
