/* The services of the endpoint. */
#include "platform/aws/eks.h"
#include "platform/aws/service.h"

const struct aws_service *const aws_services[] = {&aws_sts, &aws_iam, &aws_ec2, &aws_eks, &aws_eks_auth, NULL};
