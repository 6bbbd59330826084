package pusher

import (
	"context"
	"errors"
)

type v1Pusher struct{}

// Push implements Pusher.
func (v1Pusher) Push(context.Context, *Job) ([]Published, error) {
	return nil, at(StageConnect, errors.New("V1 is not there yet"))
}
