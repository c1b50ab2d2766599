package query

// ScalingVersion is the version of the Auto Scaling API.
const ScalingVersion = "2011-01-01"

const scalingNamespace = "http://autoscaling.amazonaws.com/doc/2011-01-01/"

// ScalingAnswer encodes the answer of an operation of Auto Scaling.
func ScalingAnswer(operation, requestID string, body any) ([]byte, error) {
	return resultAnswer(scalingNamespace, operation, requestID, body)
}

// ScalingRefusal encodes an error answer of Auto Scaling.
func ScalingRefusal(requestID, code, message string) ([]byte, error) {
	return resultRefusal(scalingNamespace, requestID, code, message)
}
