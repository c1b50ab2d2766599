package api

import (
	"errors"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// decodeError words what query.Decode refuses as EC2 does.
func decodeError(err error) *refusal.Error {
	var (
		unknown *query.UnknownError
		absent  *query.MissingError
		value   *query.ValueError
		unheld  *query.UnheldError
	)
	switch {
	case errors.As(err, &unknown):
		return refusal.New("UnknownParameter", "The parameter %s is not recognized", unknown.Key)
	case errors.As(err, &absent):
		return refusal.Missing(absent.Key)
	case errors.As(err, &value):
		return refusal.InvalidValue("Invalid value '%s' for %s. Expecting a value of type %s.",
			value.Value, value.Key, value.Want)
	case errors.As(err, &unheld):
		return refusal.New("UnsupportedOperation", "ec2sim does not implement the parameter %s.",
			unheld.Key)
	}
	panic("ec2sim: an error query.Decode does not have: " + err.Error())
}
