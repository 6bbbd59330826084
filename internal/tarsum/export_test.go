package tarsum

// Held is how many bytes of content a Reader has room for.
func (r *Reader) Held() int { return r.plain.Cap() + r.packed.Cap() + cap(r.chunk) }
