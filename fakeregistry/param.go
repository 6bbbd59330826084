package fakeregistry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Check reports whether a decoded value is of the parameter's type and in its range.
func (p Param) Check(v any) error {
	switch v := v.(type) {
	case string:
		if p.Type == ParamString {
			return p.checkForm(v)
		}
		if p.Type == ParamEnum && slices.Contains(p.Values, v) {
			return nil
		}
		if p.Type == ParamEnum {
			return fmt.Errorf("%q is not one of %s", v, strings.Join(p.Values, ", "))
		}
	case int64:
		return p.checkNumber(v)
	case time.Duration:
		return p.checkTime(v)
	case bool:
		if p.Type == ParamBool {
			return nil
		}
	case []string:
		if p.Type == ParamStrings && p.within(int64(len(v))) {
			return nil
		}
	case map[string]string:
		if p.Type == ParamMap {
			return checkHeaders(v)
		}
	case []digest.Digest:
		if p.Type == ParamDigests {
			return nil
		}
	}
	return fmt.Errorf("%v is not %s", v, p.Takes())
}

func (p Param) checkNumber(n int64) error {
	switch p.Type {
	case ParamInt, ParamSize, ParamRate, ParamStatus:
		if p.within(n) {
			return nil
		}
	default:
	}
	text := strconv.FormatInt(n, 10)
	if p.Type == ParamSize && n >= 0 {
		text = bytesText(n)
	}
	return fmt.Errorf("%s is not %s", text, p.Takes())
}

// Parse reads the text form of a value, as scenario files and NewFault have it.
// Lists are separated by commas; a map is "Name: value" pairs separated by commas.
func (p Param) Parse(text string) (any, error) {
	v, err := p.parse(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	return v, p.Check(v)
}

func (p Param) parse(text string) (any, error) {
	bad := fmt.Errorf("%q is not %s", text, p.Type)
	switch p.Type {
	case ParamString, ParamEnum:
		return text, nil
	case ParamInt, ParamStatus:
		n, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 10, 64)
		if err != nil {
			return nil, bad
		}
		return n, nil
	case ParamSize:
		if n, ok := parseBytes(text); ok {
			return n, nil
		}
		return nil, bad
	case ParamRate:
		number, ok := strings.CutSuffix(text, "/s")
		if n, good := parseBytes(number); ok && good {
			return n, nil
		}
		return nil, bad
	case ParamDuration:
		if text == "∞" || text == "infinite" {
			return time.Duration(-1), nil
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, bad
		}
		return d, nil
	case ParamBool:
		if text != "true" && text != "false" {
			return nil, bad
		}
		return text == "true", nil
	}
	return p.parseList(text)
}

func (p Param) parseList(text string) (any, error) {
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	switch p.Type {
	case ParamStrings:
		return words, nil
	case ParamMap:
		m := map[string]string{}
		for _, word := range words {
			name, value, ok := strings.Cut(word, ":")
			if !ok {
				return nil, fmt.Errorf("%q is not a pair; want Name: value", word)
			}
			m[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		return m, nil
	case ParamDigests:
		list := make([]digest.Digest, len(words))
		for i, word := range words {
			list[i] = digest.Digest(word)
			if err := list[i].Validate(); err != nil {
				return nil, fmt.Errorf("%q is not a digest; want sha256:<64 hex digits>", word)
			}
		}
		return list, nil
	}
	return nil, errors.New("this parameter has no type")
}

// parseBytes reads "1MiB", "64 KiB", "4MB" or "4096".
func parseBytes(text string) (int64, bool) {
	factor := int64(1)
	for _, u := range [...]struct {
		name  string
		bytes int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, factor = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, false
	}
	return n * factor, true
}

// String says what a value of the type is, for messages and documentation.
func (t ParamType) String() string {
	return [...]string{
		"a parameter", "a text", "a whole number", "a size such as 64KiB or 4096", "a time such as 500ms, 5s or ∞",
		"a rate such as 30KiB/s", "true or false", "a word of its list", "a status from 200 to 599", "a list of texts",
		"a map of texts", "a digest or a list of digests",
	}[t]
}

// The values of decoded arguments; zero where there is none.

func (a Args) text(name string) string        { v, _ := a[name].(string); return v }
func (a Args) number(name string) int64       { v, _ := a[name].(int64); return v }
func (a Args) status() int                    { return int(a.number("status")) }
func (a Args) time(name string) time.Duration { v, _ := a[name].(time.Duration); return v }
func (a Args) flag(name string) bool          { v, _ := a[name].(bool); return v }
func (a Args) texts(name string) []string     { v, _ := a[name].([]string); return v }
func (a Args) digests(name string) digests    { v, _ := a[name].([]digest.Digest); return v }
func (a Args) pairs(name string) map[string]string {
	v, _ := a[name].(map[string]string)
	return v
}

// digests is a set, in which none means any.
type digests []digest.Digest

func (s digests) has(d digest.Digest) bool { return len(s) == 0 || slices.Contains(s, d) }
