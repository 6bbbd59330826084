package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A Count is a number that some recordings write as a string.
type Count int

// UnmarshalJSON implements json.Unmarshaler.
func (c *Count) UnmarshalJSON(data []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(data), `"`))
	if err != nil || n < 0 {
		return fmt.Errorf("%s is not a count", data)
	}
	*c = Count(n)
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Fault) UnmarshalJSON(data []byte) error {
	type plain Fault
	if err := json.Unmarshal(data, (*plain)(f)); err != nil {
		return err
	}
	var err error
	f.Unknown, err = unknown(data, reflect.TypeFor[Fault]())
	return err
}

// MarshalJSON implements json.Marshaler: what was not known is written again.
func (f Fault) MarshalJSON() ([]byte, error) {
	type plain Fault
	return withUnknown(plain(f), f.Unknown)
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Exchange) UnmarshalJSON(data []byte) error {
	type plain Exchange
	e.RespLen = -1
	if err := json.Unmarshal(data, (*plain)(e)); err != nil {
		return err
	}
	var err error
	e.Unknown, err = unknown(data, reflect.TypeFor[Exchange]())
	return err
}

// MarshalJSON implements json.Marshaler: what was not known is written again.
func (e Exchange) MarshalJSON() ([]byte, error) {
	type plain Exchange
	out, err := withUnknown(plain(e), e.Unknown)
	if err == nil && e.RespLen < 0 {
		out = bytes.Replace(out, []byte(`,"resp_len":`+strconv.FormatInt(e.RespLen, 10)), nil, 1)
	}
	return out, err
}

// unknown are the members of an object that t has no field for.
func unknown(data []byte, t reflect.Type) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		delete(members, name)
	}
	if len(members) == 0 {
		return nil, nil
	}
	return members, nil
}

// withUnknown is the object with members added at its end.
func withUnknown(object any, members map[string]json.RawMessage) ([]byte, error) {
	out, err := encode(object)
	if err != nil || len(members) == 0 {
		return out, err
	}
	more, err := encode(members)
	if err != nil {
		return nil, err
	}
	out = append(out[:len(out)-1], ',')
	return append(out, more[1:]...), nil
}

// encode is json.Marshal without the escapes that make text hard to read.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
