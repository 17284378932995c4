console.log(require('@mono/lib')(60000))
