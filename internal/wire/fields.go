package wire

import "net/http"

// fields are the headers of one message as they were at one moment: cheaper to
// take than a clone of the map. The values' slices are shared; Set and Add on the
// original leave them alone.
type fields []field

type field struct {
	name   string
	values []string
}

func fieldsOf(h http.Header) fields {
	if len(h) == 0 {
		return nil
	}
	f := make(fields, 0, len(h))
	for name, values := range h {
		f = append(f, field{name, values})
	}
	return f
}

// header makes a header that shares nothing with the original.
func (f fields) header() http.Header {
	if f == nil {
		return nil
	}
	h := make(http.Header, len(f))
	for _, x := range f {
		h[x.name] = append([]string(nil), x.values...)
	}
	return h
}
