package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes a step's three files into dir, which is made if it is not there.
// Files of the same name are replaced. Nothing is scrubbed here: the caller did.
func Write(dir string, step *Step) error {
	if step.Name == "" || filepath.Base(step.Name) != step.Name {
		return fmt.Errorf("recording: %q cannot be the name of a step", step.Name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // meant to be read by others
		return err
	}
	out := *step
	out.Format = Format
	var head bytes.Buffer
	e := json.NewEncoder(&head)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("recording: step %s: %w", step.Name, err)
	}
	var lines bytes.Buffer
	for _, exchange := range step.Exchanges {
		line, err := encode(exchange)
		if err != nil {
			return fmt.Errorf("recording: step %s, exchange %d: %w", step.Name, exchange.Seq, err)
		}
		lines.Write(line)
		lines.WriteByte('\n')
	}
	for suffix, data := range map[string][]byte{".json": head.Bytes(), ".jsonl": lines.Bytes(), ".stdout": step.Stream} {
		if err := os.WriteFile(filepath.Join(dir, step.Name+suffix), data, 0o644); err != nil { //nolint:gosec // meant to be read by others
			return err
		}
	}
	return nil
}
